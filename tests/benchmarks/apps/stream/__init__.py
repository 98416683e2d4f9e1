"""stream: tokens without a pause. What is left is what each item costs on its way."""
