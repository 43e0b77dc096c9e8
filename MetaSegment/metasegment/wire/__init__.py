"""What travels between the service and its client, for both ends (numpy alone; opens no connection, reads no file)."""

from .records import WireError, from_json, to_json

__all__ = ["WireError", "from_json", "to_json"]
