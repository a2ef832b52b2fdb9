"""Overread's rooms: everything the product does, usable without Streamlit outside ``core.ui``."""

__version__ = "0.1.0"
