"""The quantum secure link: from detections to keys that applications draw."""
