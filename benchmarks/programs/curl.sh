#!/bin/sh
# One curl a user, 32 at a time. Internal emails come in on lines, answers go out.
exec xargs -P 32 -I{} curl -sSf -X POST "$OPENFUNNEL_BASE_URL/api/v1/admin/create-user" \
    -H "X-API-Key: $OPENFUNNEL_API_KEY" -H "X-User-ID: $OPENFUNNEL_USER_ID" \
    -H 'Content-Type: application/json' -d '{"email": "{}"}'
