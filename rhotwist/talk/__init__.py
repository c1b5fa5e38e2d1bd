"""What two wallets said to each other: signed records, how they are brought together, shown to others and proven."""
