//! What the tests stand on: a running Carillon, fake providers with a ledger, a load client, the oracle.
