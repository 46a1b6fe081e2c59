"""Model answers: short paragraphs of plain English, made from a run's own results and from nothing else.

Each question has a function from kept results to paragraphs. Three kinds of sentence stand in them, and each says
which it is: what this run *measured*; what *AWS documents* (a rule, never a number); what the *local cloud's model*
makes of it, from which nothing follows about AWS. Every number is one that a table of the folio shows too, written
in the same way. A claim is made only where the data bear it: another world gives another text, and what was not
measured is called so. Pure: nothing is asked, nothing is read.
"""

from mglab.study.answers.losses import measured_2, measured_83, question_2, step_83
from mglab.study.answers.pattern import measured_1, question_1
from mglab.study.answers.slowness import measured_3, question_3
from mglab.study.answers.tabs import Together, evaluation, measured_tabs, step_87, step_88, together
from mglab.study.answers.under_load import measured_load, under_load
from mglab.study.answers.words import Measured

__all__ = [
    "Measured",
    "Together",
    "evaluation",
    "measured_1",
    "measured_2",
    "measured_3",
    "measured_83",
    "measured_load",
    "measured_tabs",
    "question_1",
    "question_2",
    "question_3",
    "step_83",
    "step_87",
    "step_88",
    "together",
    "under_load",
]
