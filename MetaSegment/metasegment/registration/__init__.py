"""One image brought onto another by SimpleITK: linear transforms, then B-splines; and what goes along with it."""
