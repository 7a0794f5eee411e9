"""The planner at the end of a report: sliders for what one would spend, answered in the browser from the exported draws."""
