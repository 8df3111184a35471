"""All of Cakegate on one machine, without containers: `cakegate up`, its demo, and the sample legacy API."""
