"""All knobs of an engine and its generator together: saved, compared, preset, undone."""
