//! Redis over our own wire: connection state machine, ledger, I/O thread. Knows no JavaScript.
