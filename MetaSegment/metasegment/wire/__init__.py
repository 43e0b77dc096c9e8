"""What travels between the service and its client, for both ends (numpy alone; opens no connection, reads no file)."""

from ..io.records import FormatError, from_json, to_json

__all__ = ["FormatError", "from_json", "to_json"]
