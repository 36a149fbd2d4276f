"""What a trained model is worth: a run restored, measured with intervals, and used for prediction."""
