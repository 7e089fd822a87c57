import BeanTool
import Testing
