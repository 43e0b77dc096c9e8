"""The MRML scene, in and out: volumes, segments, views, and what is kept in them."""
