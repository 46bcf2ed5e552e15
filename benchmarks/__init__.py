"""Users created by this package, side by side with what one would write instead: ``make bench``."""
