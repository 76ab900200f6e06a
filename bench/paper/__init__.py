"""Tables and figures for papers, and the check that a paper still says what the results say."""
