"""Trainings as they look from outside: their folders, what they tell, and how to start them.

Both the trainer and the plugin import this; it needs neither torch nor Qt.
"""
