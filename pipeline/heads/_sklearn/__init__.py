"""What all scikit-learn heads share."""
