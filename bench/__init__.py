"""Stridebench: what does a finer output stride buy, and what does it cost?"""

__version__ = "0.1.0"
