"""Custom fields: their kinds, cached definitions, values (one validation for every way in) and their SQL."""
