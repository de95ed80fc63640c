"""From rows to statements: samples, contrasts, validity."""
