"""A model's life: trained, put beside the champion, promoted or not, served, rolled back."""
