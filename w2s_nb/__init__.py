"Weak-to-strong generalization as a notebook-first research package."
__version__ = "0.1.0"

import lazy_loader as _lazy

# The stub beside this file lists the names; each is imported from its module when it is first used.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
