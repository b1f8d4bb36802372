"""What a run learns from: sources of images, and the crops that a step sees."""
