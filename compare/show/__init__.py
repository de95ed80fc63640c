"""From statements to what people look at: tables and charts."""
