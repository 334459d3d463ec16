"""The search for a good setting; not called `tune`, since that would hide the function."""
