"""What `metasegment demo` shows without any download: a procedural CT, and a picture of its segmentation."""
