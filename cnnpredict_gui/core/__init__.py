"""What a prediction is: configurations, features, cards, names, errors."""
