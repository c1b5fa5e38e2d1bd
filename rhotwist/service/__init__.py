"""Assembly and lifetime: what ``twistd rhocoin`` starts, holds together and stops."""
