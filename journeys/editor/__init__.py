"""The simple form of an automation: a flat set of texts, as browsers send them, and the definition they stand for.

``draft`` holds the texts and turns them into a definition and back, ``rows`` the rows of conditions and ``words``
single values, ``form`` draws it all as fields. What the form can't show stays in it as JSON, so nothing is lost.
"""
