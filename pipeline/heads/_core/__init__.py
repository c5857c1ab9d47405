"""What all heads share: the seam, training, saving, and what is known about a trained head."""
