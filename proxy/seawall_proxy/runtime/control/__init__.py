"""The link to the control plane: policies in, results, events and statistics out, commands answered.

link        keeps one stream up for ever            stream      reads and writes the one that is open
outbox      what is said next on it                 backoff     when the next one is opened
pushes      policies, one after the other           commands    what operators have us do
delivery    events of the spool, acknowledged       shipping    which batch is under way, how large
reports     statistics, now and then                refused     the dead-letter file
identity    who this proxy is to the control plane  enrolling   how it becomes somebody
security    what the policy file says of both       spool_report  the spool in the words of the contract
"""
