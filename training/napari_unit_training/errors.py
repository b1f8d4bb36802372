"""What the trainer raises when a user must change something; each message is one sentence."""


class TrainingError(ValueError):
    """Settings, images or a run folder that cannot be trained with; the message says why."""
