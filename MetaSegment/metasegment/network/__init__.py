"""The network: its channels, architecture, weights, losses, number formats, and the engine that runs it on a device."""
