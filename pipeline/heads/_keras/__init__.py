"""What all Keras heads share."""
