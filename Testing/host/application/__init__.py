"""The application around a module: slicer.app, slicer.modules, layout, readers and writers."""
