"""Write files as a whole, and read and download those of others with care."""
