"""Webhooks: messages to addresses of a tenant's own when something has happened, by the Standard Webhooks scheme."""
