"""A published dataset looked through: filtered, sorted, counted, searched, page by page, and rows that are near another."""
