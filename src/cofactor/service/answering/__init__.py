"""How a request for recommendations is answered: users, items, scores, reasons."""
