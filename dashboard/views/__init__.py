"""The pages, one file each; each has a function ``page`` that draws it."""
