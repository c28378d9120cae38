"""Files, generated sections of documents, and the machine that measured."""
