"""Still figures by matplotlib: the plane, charts, and images side by side."""
