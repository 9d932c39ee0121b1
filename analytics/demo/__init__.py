"""Demo data: a shop with loyal, lapsed and angry customers, whose purchases are real (see ``data/``)."""
