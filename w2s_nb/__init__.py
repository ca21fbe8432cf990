"Weak-to-strong generalization as a notebook-first research package."
__version__ = "0.1.0"
