# In doubt mail is accepted, whoever sends it; and so is mail whose way is fine.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s  look -> unknown
at 0s  mail other -> accept
at 0s  mail authenticated -> accept
at 0s  mail local -> accept
at 1s  probe ok -> up
at 1s  mail other -> accept
at 1s  mail local -> accept
at 1s  mail reentry -> accept
