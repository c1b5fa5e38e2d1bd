"""What one may ask a running process: requests and answers as values, and every text a person sees when it fails."""
