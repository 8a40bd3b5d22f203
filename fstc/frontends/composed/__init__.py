"""What operators of several frameworks expand to, written once on the Builder."""
