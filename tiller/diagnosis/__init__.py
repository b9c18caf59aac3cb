"""Why a frozen policy fails, and what would pay: measures, rules, a page."""
