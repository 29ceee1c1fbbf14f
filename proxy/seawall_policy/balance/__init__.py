"""Which of a cluster's endpoints takes the next attempt: one module for each way of choosing, all of them
pure.

Endpoints stay with their owner; here they are *slots*, small numbers that do not change while an endpoint is
a member. The owner hands over the slots that may be picked and their weights whenever one of the two changes,
and asks for a pick at each attempt; so a pick costs the same with three endpoints and with a thousand. A set
of slots that a call has tried already is a bit mask.
"""
