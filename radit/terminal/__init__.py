"""What the commands show: tables, bars and messages."""
