"""Files of customers on their way in: read → map → clean → stage by COPY → commit set-based, chunk by chunk.

``reading`` knows files, ``fields`` what a record can carry, ``mapping`` which column is which field,
``cleaning`` turns a row into normalised text or errors, ``staging`` and the two ``*_sql`` modules put a
chunk into the database, ``runner`` claims a job and takes it through.
"""
